-- Raises a window to what the provider itself had counted for a request, when that was more than was known for it
-- here: see Ring::observe.
--
-- Packed: I2 place among the deployments  d second of the grant  d requests  d tokens counted then
-- d requests left (-1: unknown)  d until they are all there again, in s  d tokens left  d until they are all there again.
local OBSERVATION, OBSERVATION_BYTES = '<I2ddddddd', 58

local function granted_in(w, second)
  if second > w.second or w.second - second >= LIVE then return 0, 0 end
  local requests, input, output = bucket_values(w, second)
  return requests, input + output
end

local function observe(text, at, w, l)
  local _, second, requests, tokens, requests_left, requests_end, tokens_left, tokens_end = unpack(OBSERVATION, text, at)
  local near_requests, near_tokens = granted_in(w, second)
  local next_requests, next_tokens = granted_in(w, second + 1)
  -- The second whose bucket leaves `span` s after the grant; none where it has left, or none stays so long.
  local function ends(span)
    local from = second + max(span, 1) - LIVE
    return span <= LIVE and from >= 0 and from <= w.second and w.second - from < LIVE and from
  end
  local place = requests_left >= 0 and finite(l.rpm) and ends(requests_end)
  if place then
    local known = max(requests + near_requests + next_requests, w.requests)
    local more = max(l.rpm - requests_left, 0) - known
    if more > 0 then add(w, place, more, 0, 0) end
  end
  place = tokens_left >= 0 and finite(l.tpm) and ends(tokens_end)
  if place then
    local known = max(tokens + near_tokens + next_tokens, w.input + w.output)
    local more = max(l.tpm - tokens_left, 0) - known
    if more > 0 then add(w, place, 0, more, 0) end
  end
end
