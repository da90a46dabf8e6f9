-- The condition of a deployment, packed in one string: see health.rs and latency.rs for what it means.
--
--   d rests until (0: it does not)   d how long that lasts   d probe until (0: none)
--   d drained until (0: not, -1: until restored)   I4 cause   I4 failed probes
--   d generation: when it last changed so that others should see it, or one more than before that
--   I4 era: failures counted in an earlier one are forgotten
--   d latency to the first token   d per token   d tokens a reply   d updated at (-1: nothing measured)
--   6 buckets of 10 s: I4 which   I4 answers   I4 failures
--
-- Times and spans are in ms.
local STANDING, STANDING_BYTES = '<ddddI4I4dI4dddd', 84
local OUTCOMES, OUTCOME_BYTES, OUTCOME_COUNT, OUTCOME_SECS = '<I4I4I4', 12, 6, 10
local PROBE_TURN_MS, MOST_DOUBLINGS = 60000, 2
-- Of the moving averages of latency: how fast they forget, and what share of them outlasts any sample.
local TAU_MS, MOST_KEPT, PENALTY_MS = 30000, 0.9, 5000

local function no_outcomes()
  return string.rep('\0', OUTCOME_COUNT * OUTCOME_BYTES)
end

-- Its outcomes, packed. Those of the current bucket are counted beside them until somebody wants to know.
local function outcomes(c)
  local packed = c.outcomes or sub(c.packed, STANDING_BYTES + 1)
  if c.current then
    local at = (c.current % OUTCOME_COUNT) * OUTCOME_BYTES
    packed = sub(packed, 1, at) .. pack(OUTCOMES, c.current, c.oks, c.failures) .. sub(packed, at + OUTCOME_BYTES + 1)
  end
  c.outcomes, c.current = packed, false
  return packed
end

local function outcomes_forget(c)
  c.outcomes, c.current, c.era = no_outcomes(), false, c.era + 1
end

local function condition_read(packed)
  if not packed then
    return {
      rests = 0, lasted = 0, probe = 0, drained = 0, cause = 0, failed_probes = 0, generation = 0, era = 0,
      first = 0, each = 0, tokens = 0, updated = -1,
      packed = false, outcomes = no_outcomes(), current = false, oks = 0, failures = 0, is_new = true, dirty = false, told = false, renewed = false,
    }
  end
  local rests, lasted, probe, drained, cause, failed_probes, generation, era, first, each, tokens, updated =
    unpack(STANDING, packed)
  return {
    rests = rests, lasted = lasted, probe = probe, drained = drained, cause = cause, failed_probes = failed_probes,
    generation = generation, era = era, first = first, each = each, tokens = tokens, updated = updated,
    packed = packed, outcomes = false, current = false, oks = 0, failures = 0, is_new = false, dirty = false, told = false, renewed = false,
  }
end

-- What others need to know of it. What has not changed is as it was read.
local function standing(c)
  if c.packed and not c.dirty then return sub(c.packed, 1, STANDING_BYTES) end
  return pack(STANDING, c.rests, c.lasted, c.probe, c.drained, c.cause, c.failed_probes, c.generation, c.era,
    c.first, c.each, c.tokens, c.updated)
end

-- Stores it. A key outlasts what keeps the deployment out; an operator's word without an end is kept without one. Gives
-- back what others need to know of it.
local function condition_store(key, c, now)
  local told = standing(c)
  local packed = told .. outcomes(c)
  if not (c.is_new or c.told or c.renewed) then
    redis.call('SETRANGE', key, '0', packed)
  elseif c.drained == -1 then
    redis.call('SET', key, packed)
  else
    local last = max(c.rests, c.drained, c.probe, now)
    redis.call('SET', key, packed, 'PX', string.format('%.0f', last - now + KEPT))
  end
  return told
end

-- Tells every replica. Whoever misses it reads it within a poll.
local function condition_publish(channel, key, told)
  redis.call('PUBLISH', channel, string.match(key, '[^:]*$') .. told)
end

-- One of: 'ready', 'cooling', 'half_open', 'probed', 'drained'.
local function health(c, now)
  if c.drained == -1 or now < c.drained then return 'drained' end
  if c.rests == 0 then return 'ready' end
  if now < c.rests then return 'cooling' end
  return now < c.probe and 'probed' or 'half_open'
end

-- Generations go by the clock, so that they go on where a lost key has left off.
local function changed(c, now)
  c.generation, c.dirty, c.told = max(c.generation + 1, now), true, true
end

local function outcome_add(c, now, ok, failed)
  local which = floor(now / 1000 / OUTCOME_SECS)
  if c.current ~= which then
    local known, oks, failures = unpack(OUTCOMES, outcomes(c), (which % OUTCOME_COUNT) * OUTCOME_BYTES + 1)
    if known ~= which then oks, failures = 0, 0 end
    c.current, c.oks, c.failures = which, oks, failures
  end
  c.oks, c.failures, c.dirty = c.oks + ok, c.failures + failed, true
end

-- How many outcomes of the last minute were answers, and how many failures.
local function tally(c, now)
  local which, oks, fails, buckets = floor(now / 1000 / OUTCOME_SECS), 0, 0, outcomes(c)
  for i = 0, OUTCOME_COUNT - 1 do
    local known, ok, failed = unpack(OUTCOMES, buckets, i * OUTCOME_BYTES + 1)
    if which - known < OUTCOME_COUNT then oks, fails = oks + ok, fails + failed end
  end
  return oks, fails
end

local function half_failed(c, now)
  local oks, fails = tally(c, now)
  return fails > 0 and fails >= oks
end

local function breaker_opens(c, failures, percent, least, now)
  local oks, fails = tally(c, now)
  local outcomes = oks + fails
  return fails >= failures or (outcomes >= least and fails * 100 >= percent * outcomes)
end

-- Moving averages of latency take a new sample into account.
local function pace_blend(c, first, each, tokens, now)
  if c.updated < 0 then
    c.first, c.each, c.tokens = first, each, tokens
  else
    local keep = now > c.updated and min(math.exp((c.updated - now) / TAU_MS), MOST_KEPT) or MOST_KEPT
    c.first = c.first * keep + first * (1 - keep)
    c.each = c.each * keep + each * (1 - keep)
    c.tokens = c.tokens * keep + tokens * (1 - keep)
  end
  c.dirty = true
  if c.updated == now then return end
  -- Whoever is measured is kept; the server is told so once an hour.
  if floor(c.updated / 3600000) ~= floor(now / 3600000) then c.renewed = true end
  c.updated = now
end

-- A failure counts at least as slow as the deployment has been.
local function pace_penalty(c, now)
  local tokens, expected = 1, 0
  if c.updated >= 0 then tokens, expected = c.tokens, c.first + c.each * c.tokens end
  pace_blend(c, max(PENALTY_MS, expected), 0, tokens, now)
end
