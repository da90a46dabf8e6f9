-- Which documents have changed, in the order of their changes. Changes nothing.
--
-- KEYS  1 records by name  2 names in the order of their changes
-- ARGV  1 the place up to which changes are known  2 about how many bytes are wanted
-- Reply the place up to which they are told (less than was known: something was lost), 1 when those are all, how many
--       documents there are, how often those have changed in all, then names and records.
local MOST_NAMES = 200
local since, wanted, last = tonumber(ARGV[1]), tonumber(ARGV[2]), latest(KEYS[2])
local there, changes = totals(KEYS[1])
local reply, bytes, at = { last, 1, there, changes }, 0, since
if last <= since then return reply end
local from = '(' .. string.format('%.0f', since)
local order = redis.call('ZRANGEBYSCORE', KEYS[2], from, '+inf', 'WITHSCORES', 'LIMIT', 0, MOST_NAMES)
for i = 1, #order, 2 do
  local record = redis.call('HGET', KEYS[1], order[i])
  if record then
    reply[#reply + 1], reply[#reply + 2], bytes = order[i], record, bytes + #record
  end
  at = tonumber(order[i + 1])
  if bytes >= wanted then break end
end
reply[1], reply[2] = at, at == last and 1 or 0
return reply
