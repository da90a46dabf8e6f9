-- A replica has told all it knows. When the last one has, recovery ends: the last of those that the data knows, and of
-- as many as anybody knew before, for the data may know nobody.
--
-- KEYS  1 epoch  2 heartbeats  3 who has told
-- ARGV  1 replica  2 epoch  3 channel  4 how many replicas it knew
-- Reply until when the epoch is recovering (0: it is not), now in ms; or -1, now when it is another one.
local now = clock()
local id, recovering = epoch_read(KEYS[1])
if id ~= ARGV[2] then return { -1, now } end
redis.call('HSET', KEYS[3], ARGV[1], ARGV[4] .. ':' .. id)
if recovering > 0 then
  local told, count, most = {}, 0, 0
  local fields = redis.call('HGETALL', KEYS[3])
  for i = 1, #fields, 2 do
    local knew, where = string.match(fields[i + 1], '^(%d+):(.*)$')
    if where == id then
      told[fields[i]], count, most = true, count + 1, math.max(most, tonumber(knew))
    end
  end
  local everybody = count >= most
  for _, replica in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do everybody = everybody and told[replica] end
  if everybody or recovering <= now then
    redis.call('SET', KEYS[1], id)
    redis.call('PUBLISH', ARGV[3], 'E')
    recovering = 0
  end
end
return { recovering, now }
