-- Counts an outcome, and rests its deployment by what that means for it.
--
-- An outcome is packed: B what (0 says nothing, 1 answered, 2 failed without consequence, 3 rests at once, 4 rests when
-- half of the last minute failed, 5 rests when more failed than allowed, 6 rests when its breaker opens)  B 1 when a
-- failure says that the deployment is slow, 2 when a sample of its speed follows  d until when it had its turn as a
-- probe (0: it was none).
-- The sample: d latency to the first token  d per token  d tokens.
-- A failure goes on: B cause  d lasts in ms  I4 allowed failures, or those that open the breaker  I2 place of their
-- counter among the counters (0: it has none)  B the share in percent that opens the breaker  I4 of how many outcomes at
-- least  I2 how many peers of its group follow, of each I2 its place among the deployments.
local OUTCOME, SAMPLE, FAILURE = '<BBd', '<ddd', '<BdI4I2BI4I2'

-- Whether more than `allowed` failures came within `lasts` ms. The counter: I4 era, d each time.
local function above_allowed(counter, c, allowed, lasts, now)
  local times = counter.packed or ''
  if #times < 4 or unpack('<I4', times) ~= c.era then times = pack('<I4', c.era) end
  times = sub(times, 5) .. pack('<d', now)
  while #times > (allowed + 1) * 8 or now - unpack('<d', times) >= lasts do times = sub(times, 9) end
  counter.packed, counter.dirty, counter.lasts = pack('<I4', c.era) .. times, true, max(counter.lasts or 0, lasts)
  return #times > allowed * 8
end

-- A probe that says nothing gives up its turn; one that was late has none any more to give up.
local function quiet(c, turn, now)
  if turn > 0 and c.rests > 0 and c.probe == turn then
    c.probe = 0
    changed(c, now)
  end
end

-- What changed: 0 nothing, 1 it is back.
local function report_answer(c, turn, now)
  if turn > 0 and c.rests > 0 and now >= c.rests then
    c.rests, c.lasted, c.probe, c.cause, c.failed_probes = 0, 0, 0, 0, 0
    outcomes_forget(c)
    changed(c, now)
    return 1
  end
  outcome_add(c, now, 1, 0)
  return 0
end

-- What changed: 0 nothing, 2 it rests; and where the text goes on.
local function report_failure(what, turn, text, at, c, load, counter, now)
  local cause, lasts, failures, number, percent, least, peers, peers_at = unpack(FAILURE, text, at)
  local ends = peers_at + 2 * peers
  if what == 2 then
    quiet(c, turn, now)
    return 0, ends
  end
  outcome_add(c, now, 0, 1)
  local probe = turn > 0
  local rests = probe or what == 3
  if not rests and what == 4 and half_failed(c, now) then
    -- The last healthy one of its group does not rest on a share of failures.
    for peer_at = peers_at, ends - 2, 2 do
      if health(load((unpack('<I2', text, peer_at))).condition, now) == 'ready' then rests = true end
    end
  end
  if not rests and what == 5 then rests = above_allowed(counter(number), c, failures, lasts, now) end
  if not rests and what == 6 then rests = breaker_opens(c, failures, percent, least, now) end
  return rests and trip(c, lasts, cause, probe, now) and 2 or 0, ends
end

-- Counts the outcome that is packed in `text` from `at` on. What changed: 0 nothing, 1 it is back, 2 it rests; and where
-- the text goes on.
local function report(text, at, c, load, counter, now)
  local what, speed, turn, first, each, tokens
  what, speed, turn, at = unpack(OUTCOME, text, at)
  if speed == 1 then pace_penalty(c, now) end
  if speed == 2 then
    first, each, tokens, at = unpack(SAMPLE, text, at)
    pace_blend(c, first, each, tokens, now)
  end
  if what == 1 then return report_answer(c, turn, now), at end
  if what > 1 then return report_failure(what, turn, text, at, c, load, counter, now) end
  quiet(c, turn, now)
  return 0, at
end
