-- A replica has told all it knows. When the last one has, recovery ends.
--
-- KEYS  1 epoch  2 heartbeats  3 who has told
-- ARGV  1 replica  2 epoch  3 channel
-- Reply until when the epoch is recovering (0: it is not), now in ms; or -1, now when it is another one.
local now = clock()
local id, recovering = epoch_read(KEYS[1])
if id ~= ARGV[2] then return { -1, now } end
redis.call('HSET', KEYS[3], ARGV[1], id)
if recovering > 0 then
  local everybody = true
  for _, replica in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    if redis.call('HGET', KEYS[3], replica) ~= id then everybody = false end
  end
  if everybody or recovering <= now then
    redis.call('SET', KEYS[1], id)
    redis.call('PUBLISH', ARGV[3], 'E')
    recovering = 0
  end
end
return { recovering, now }
