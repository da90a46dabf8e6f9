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
local TAU_MS, PENALTY_MS = 30000, 5000

local function no_outcomes()
  return string.rep('\0', OUTCOME_COUNT * OUTCOME_BYTES)
end

local function condition_read(packed)
  if not packed then
    return {
      rests = 0, lasted = 0, probe = 0, drained = 0, cause = 0, failed_probes = 0, generation = 0, era = 0,
      first = 0, each = 0, tokens = 0, updated = -1,
      outcomes = no_outcomes(), is_new = true, dirty = false, told = false, renewed = false,
    }
  end
  local rests, lasted, probe, drained, cause, failed_probes, generation, era, first, each, tokens, updated =
    unpack(STANDING, packed)
  return {
    rests = rests, lasted = lasted, probe = probe, drained = drained, cause = cause, failed_probes = failed_probes,
    generation = generation, era = era, first = first, each = each, tokens = tokens, updated = updated,
    outcomes = sub(packed, STANDING_BYTES + 1), is_new = false, dirty = false, told = false, renewed = false,
  }
end

-- What others need to know of it.
local function standing(c)
  return pack(STANDING, c.rests, c.lasted, c.probe, c.drained, c.cause, c.failed_probes, c.generation, c.era,
    c.first, c.each, c.tokens, c.updated)
end

-- Stores it. A key outlasts what keeps the deployment out; an operator's word without an end is kept without one.
local function condition_store(key, c, now)
  local packed = standing(c) .. c.outcomes
  if not (c.is_new or c.told or c.renewed) then
    redis.call('SETRANGE', key, 0, packed)
  elseif c.drained == -1 then
    redis.call('SET', key, packed)
  else
    local last = max(c.rests, c.drained, c.probe, now)
    redis.call('SET', key, packed, 'PX', string.format('%.0f', last - now + KEPT))
  end
end

-- Tells every replica. Whoever misses it reads it within a poll.
local function condition_publish(channel, key, c)
  redis.call('PUBLISH', channel, string.match(key, '[^:]*$') .. standing(c))
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
  local at = (which % OUTCOME_COUNT) * OUTCOME_BYTES
  local known, oks, fails = unpack(OUTCOMES, c.outcomes, at + 1)
  if known ~= which then oks, fails = 0, 0 end
  c.outcomes = sub(c.outcomes, 1, at) .. pack(OUTCOMES, which, oks + ok, fails + failed)
    .. sub(c.outcomes, at + OUTCOME_BYTES + 1)
  c.dirty = true
end

-- How many outcomes of the last minute were answers, and how many failures.
local function tally(c, now)
  local which, oks, fails = floor(now / 1000 / OUTCOME_SECS), 0, 0
  for i = 0, OUTCOME_COUNT - 1 do
    local known, ok, failed = unpack(OUTCOMES, c.outcomes, i * OUTCOME_BYTES + 1)
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
    local keep = min(math.exp(-max(now - c.updated, 0) / TAU_MS), 0.9)
    local function mix(old, new) return old * keep + new * (1 - keep) end
    c.first, c.each, c.tokens = mix(c.first, first), mix(c.each, each), mix(c.tokens, tokens)
  end
  -- Whoever is measured is kept; the server is told so once an hour.
  if floor(c.updated / 3600000) ~= floor(now / 3600000) then c.renewed = true end
  c.updated, c.dirty = now, true
end

-- A failure counts at least as slow as the deployment has been.
local function pace_penalty(c, now)
  local tokens, expected = 1, 0
  if c.updated >= 0 then tokens, expected = c.tokens, c.first + c.each * c.tokens end
  pace_blend(c, max(PENALTY_MS, expected), 0, tokens, now)
end
