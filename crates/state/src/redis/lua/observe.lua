-- Raises a window to what the provider itself has counted; the difference leaves when its count ends.
--
-- Packed: I2 place among the deployments  d requests left (-1: unknown)  d until they are all there again, in s
-- d tokens left  d until they are all there again.
local OBSERVATION = '<I2dddd'

local function observe(observation, w, l)
  local _, requests, requests_end, tokens, tokens_end = unpack(OBSERVATION, observation)
  local function second(span)
    return max(w.second + max(span, 1) - LIVE, 0)
  end
  if requests >= 0 and finite(l.rpm) and requests_end <= LIVE then
    local more = max(l.rpm - requests, 0) - w.requests
    if more > 0 then add(w, second(requests_end), more, 0, 0) end
  end
  if tokens >= 0 and finite(l.tpm) and tokens_end <= LIVE then
    local more = max(l.tpm - tokens, 0) - (w.input + w.output)
    if more > 0 then add(w, second(tokens_end), 0, more, 0) end
  end
end
