-- One turn of a replica: tells what has ended, then asks for admission. All of it or, where the answer is
-- not OK, nothing.
--
-- KEYS  1 epoch, then for each window its string and its contributions, for each deployment its
--       condition, the counters of allowed failures, and the counters of tickets.
-- ARGV  1 epoch  2 replica  3 deadline in ms (0: none)  4 channel
--       5 I2 windows  I2 deployments  I2 counters  I2 settlements  I2 observations  I2 asks  I2 counters of tickets
--       6 a stake for each window
--       7 for each deployment I2 its window (0: only its condition is wanted), d rpm, tpm, itpm, otpm, parallel requests
--       (infinite: unlimited), d burst in ms (-1: no smoothing)
--       8 the settlements, each followed by its outcome  9 the observations  10 the asks
--       the rest: of each counter how many tickets.
-- Reply OK, now in ms, then as one string each: the answers to the asks; for each settlement B change, d rests until;
--       for each window B 1 and its contribution, or B 0 when nobody looked at it; for each deployment B 1 and its
--       standing, or B 0; for each counter of tickets d the first of them, from 0.
--       EPOCH: the epoch is another one. RECOVERING, until: ask again then. LATE: the deadline has passed.
--       LOSS: the server has forgotten what it acknowledged.
local MEMBER, MEMBER_BYTES = '<I2dddddd', 50
local now = clock()
local id, recovering = epoch_read(KEYS[1])
if id ~= ARGV[1] then return { 'EPOCH', now } end
local deadline = tonumber(ARGV[3])
if deadline > 0 and now > deadline then return { 'LATE', now } end
local replica, channel = ARGV[2], ARGV[4]
local windows, deployments, counters, settlements, observations, asks, tickets = unpack('<I2I2I2I2I2I2I2', ARGV[5])
local stakes, members, FIRST_TICKET = ARGV[6], ARGV[7], 11
if recovering > now and asks > 0 then return { 'RECOVERING', now, recovering } end

local opened, known, counted, lost = {}, {}, {}, false

local function open(number)
  local w = opened[number]
  if not w then
    w = window_read(redis.call('GET', KEYS[2 * number]), now)
    if not join(w, KEYS[2 * number + 1], replica, stakes, STAKE_BYTES * (number - 1) + 1, false) then
      lost, w.mine = true, { 0, 0, 0, 0 }
    end
    opened[number] = w
  end
  return w
end

local function load(number)
  local d = known[number]
  if not d then
    local window, rpm, tpm, itpm, otpm, parallel, burst = unpack(MEMBER, members, MEMBER_BYTES * (number - 1) + 1)
    d = {
      condition = condition_read(redis.call('GET', KEYS[1 + 2 * windows + number])),
      window = window > 0 and open(window),
      rpm = rpm, tpm = tpm, itpm = itpm, otpm = otpm, parallel = parallel, burst = burst,
    }
    known[number] = d
  end
  return d
end

local function counter(number)
  local found = number > 0 and counted[number]
  if number > 0 and not found then
    found = { packed = redis.call('GET', KEYS[1 + 2 * windows + deployments + number]) }
    counted[number] = found
  end
  return found
end

local changes, answers = {}, {}
local text, at = ARGV[8], 1
for i = 1, settlements do
  local number, second, more_input, more_output, less_input, less_output, change
  number, second, more_input, more_output, less_input, less_output, at = unpack(SETTLEMENT, text, at)
  local d = load(number)
  settle(d.window, second, more_input, more_output, less_input, less_output)
  change, at = report(text, at, d.condition, load, counter, now)
  changes[i] = pack('<Bd', change, d.condition.rests)
end
text = ARGV[9]
for i = 1, observations do
  at = OBSERVATION_BYTES * (i - 1) + 1
  local d = load((unpack('<I2', text, at)))
  observe(text, at, d.window, d)
end
text, at = ARGV[10], 1
for i = 1, asks do answers[i], at = reserve(text, at, load, now) end
if lost then return { 'LOSS', now } end

local window_replies, standings = {}, {}
for number = 1, windows do
  local w = opened[number]
  if w then
    if w.dirty then window_store(KEYS[2 * number], KEYS[2 * number + 1], replica, w, now) end
    window_replies[number] = '\1' .. contribution_reply(w)
  else
    window_replies[number] = '\0'
  end
end
for number = 1, deployments do
  local d = known[number]
  if d then
    local key = KEYS[1 + 2 * windows + number]
    local told = d.condition.dirty and condition_store(key, d.condition, now) or standing(d.condition)
    if d.condition.told then condition_publish(channel, key, told) end
    standings[number] = '\1' .. told
  else
    standings[number] = '\0'
  end
end
for number, found in pairs(counted) do
  if found.dirty then
    local key = KEYS[1 + 2 * windows + deployments + number]
    redis.call('SET', key, found.packed, 'PX', string.format('%.0f', max(found.lasts, 1000)))
  end
end
local firsts = {}
for number = 1, tickets do
  local key, count = KEYS[1 + 2 * windows + deployments + counters + number], ARGV[FIRST_TICKET + number - 1]
  firsts[number] = pack('<d', redis.call('INCRBY', key, count) - count)
  redis.call('PEXPIRE', key, KEPT)
end
return {
  'OK', now, table.concat(answers), table.concat(changes), table.concat(window_replies), table.concat(standings),
  table.concat(firsts),
}
