-- One turn of a replica: tells what has ended, then asks for admission. All of it or, where the answer is
-- not OK, nothing.
--
-- KEYS  1 epoch, then for each window its string and its contributions, for each deployment its
--       condition, the counters of allowed failures, and the counters of tickets.
-- ARGV  1 epoch  2 replica  3 deadline in ms (0: none)  4 channel
--       5 I2 windows  I2 deployments  I2 counters  I2 settlements  I2 observations  I2 counters of tickets
--       then a stake for each window; for each deployment I2 its window (0: only its condition is wanted), d rpm, tpm,
--       itpm, otpm, parallel requests (infinite: unlimited), d burst in ms (-1: no smoothing); the settlements, each
--       followed by its outcome; the observations; of each counter how many tickets; the rest are asks.
-- Reply OK, now in ms, then as one string each: the answers to the asks; for each settlement B change, d rests until;
--       for each window B 1 and its contribution, or B 0 when nobody looked at it; for each deployment B 1 and its
--       standing, or B 0; for each counter of tickets d the first of them, from 0.
--       EPOCH: the epoch is another one. RECOVERING, until: ask again then. LATE: the deadline has passed.
--       LOSS: the server has forgotten what it acknowledged.
local now = clock()
local id, recovering = epoch_read(KEYS[1])
if id ~= ARGV[1] then return { 'EPOCH', now } end
local deadline = tonumber(ARGV[3])
if deadline > 0 and now > deadline then return { 'LATE', now } end
local replica, channel = ARGV[2], ARGV[4]
local windows, deployments, counters, settlements, observations, tickets = unpack('<I2I2I2I2I2I2', ARGV[5])
local first_ask = 5 + windows + deployments + 2 * settlements + observations + tickets
if recovering > now and #ARGV > first_ask then return { 'RECOVERING', now, recovering } end

local opened, known, counted, lost = {}, {}, {}, false

local function open(number)
  local w = opened[number]
  if not w then
    w = window_read(redis.call('GET', KEYS[2 * number]), now)
    if not join(w, KEYS[2 * number + 1], replica, ARGV[5 + number], false) then
      lost, w.mine = true, { 0, 0, 0, 0 }
    end
    opened[number] = w
  end
  return w
end

local function load(number)
  local d = known[number]
  if not d then
    local window, rpm, tpm, itpm, otpm, parallel, burst = unpack('<I2dddddd', ARGV[5 + windows + number])
    d = {
      condition = condition_read(redis.call('GET', KEYS[1 + 2 * windows + number])),
      window = window > 0 and open(window),
      limits = { rpm = rpm, tpm = tpm, itpm = itpm, otpm = otpm, parallel = parallel, burst = burst },
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
local at = 5 + windows + deployments
for i = 1, settlements do
  local settlement, outcome = ARGV[at + 1], ARGV[at + 2]
  local d = load((unpack('<I2', settlement)))
  settle(settlement, d.window)
  local change = report(outcome, d.condition, load, counter((unpack('<I2', outcome, OUTCOME_COUNTER))), now)
  changes[i] = pack('<Bd', change, d.condition.rests)
  at = at + 2
end
for _ = 1, observations do
  local d = load((unpack('<I2', ARGV[at + 1])))
  observe(ARGV[at + 1], d.window, d.limits)
  at = at + 1
end
for i = first_ask + 1, #ARGV do answers[#answers + 1] = reserve(ARGV[i], load, now) end
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
    if d.condition.dirty then condition_store(key, d.condition, now) end
    if d.condition.told then condition_publish(channel, key, d.condition) end
    standings[number] = '\1' .. standing(d.condition)
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
  local key, count = KEYS[1 + 2 * windows + deployments + counters + number], ARGV[at + number]
  firsts[number] = pack('<d', redis.call('INCRBY', key, count) - count)
  redis.call('PEXPIRE', key, KEPT)
end
return {
  'OK', now, table.concat(answers), table.concat(changes), table.concat(window_replies), table.concat(standings),
  table.concat(firsts),
}
