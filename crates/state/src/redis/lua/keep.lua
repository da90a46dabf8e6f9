-- Keeps records of requests that have ended, and forgets the oldest.
--
-- KEYS  1 the stream
-- ARGV  1 about how many are kept  2 for how long after the last, in ms; the rest are records
-- Reply how many there are.
for i = 3, #ARGV do redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'r', ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('XLEN', KEYS[1])
