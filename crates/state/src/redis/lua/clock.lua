-- The server's clock, in ms since the Unix epoch. No other clock is ever asked.
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
