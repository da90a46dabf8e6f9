-- A replica tells again what it granted in the last minute and where deployments stand, because the server may have
-- forgotten it. What the server knows already is not counted twice.
--
-- KEYS  1 epoch, then for each window its string and its contributions, for each deployment its condition.
-- ARGV  1 epoch  2 replica  3 I2 windows, then a stake for each window and a standing for each deployment.
-- Reply OK, now in ms, the contribution of each window and the standing of each deployment, as one string each; or
--       EPOCH, now.
local now = clock()
local id = epoch_read(KEYS[1])
if id ~= ARGV[1] then return { 'EPOCH', now } end
local replica, windows = ARGV[2], (unpack('<I2', ARGV[3]))
local window_replies, standings = {}, {}
for number = 1, windows do
  local key, contributions = KEYS[2 * number], KEYS[2 * number + 1]
  local w = window_read(redis.call('GET', key), now)
  join(w, contributions, replica, ARGV[3 + number], 1, true)
  window_store(key, contributions, replica, w, now)
  window_replies[number] = contribution_reply(w)
end
for number = 1, #ARGV - 3 - windows do
  local key = KEYS[1 + 2 * windows + number]
  local c, told = condition_read(redis.call('GET', key)), condition_read(ARGV[3 + windows + number] .. no_outcomes())
  -- The later word counts. But a rest that whoever said it had not heard of goes on: deadlines only extend. So does
  -- the turn of a probe. A rest has ended where it was over by the time that was said: a probe ends no other.
  local is_later = told.generation > c.generation
  if is_later then
    told.outcomes, told.era = outcomes(c), max(told.era, c.era)
    if told.updated < c.updated then
      told.first, told.each, told.tokens, told.updated = c.first, c.each, c.tokens, c.updated
    end
    c, told = told, c
  end
  local goes_on = c.rests > 0 or told.generation == c.generation or told.rests > c.generation
  local is_longer = told.rests > c.rests and goes_on
  if is_longer then
    c.rests, c.lasted, c.cause, c.failed_probes, c.probe =
      told.rests, told.lasted, told.cause, told.failed_probes, max(c.probe, told.probe)
  end
  if is_later or is_longer then
    c.is_new, c.dirty = true, true
    condition_store(key, c, now)
  end
  standings[number] = standing(c)
end
return { 'OK', now, table.concat(window_replies), table.concat(standings) }
