-- A replica is no more: it said so itself, or it was reaped.
--
-- KEYS  1 heartbeats  2 who has told  3 who vanished  4 who is being reaped
-- ARGV  1 the replica  2 1 when it vanished without a word
-- Reply 1.
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[4], ARGV[1])
if ARGV[2] == '1' then redis.call('ZADD', KEYS[3], clock(), ARGV[1]) end
return 1
