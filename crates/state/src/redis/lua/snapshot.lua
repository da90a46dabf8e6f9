-- What is known of windows and deployments. Changes nothing.
--
-- KEYS  windows, then conditions
-- ARGV  1 how many windows
-- Reply now in ms, the windows and the standings, as one string each.
local now, windows = clock(), tonumber(ARGV[1])
local values = #KEYS > 0 and redis.call('MGET', unpack_list(KEYS)) or {}
local window_replies, standings = {}, {}
for i = 1, windows do window_replies[i] = window_reply(window_read(values[i], now)) end
for i = windows + 1, #KEYS do standings[i - windows] = standing(condition_read(values[i])) end
return { now, table.concat(window_replies), table.concat(standings) }
