-- A sign of life, and what the replica should know.
--
-- KEYS  1 epoch  2 heartbeats  3 who has told  4 who vanished  5 who is being reaped
-- ARGV  1 replica  2 epoch  3 after which silence a replica is dead, in ms  4 how long a vanished one is remembered,
--       in ms  5 1 to see whether the data has moved to another server  6 how many replicas are known by
--       name: when there are as many, names are left out
-- Reply OK, or EPOCH when the replica should join again; now in ms; until when the epoch is recovering (0: it is not);
--       replicas that are heard of; replicas that vanished without a word; how many of those the caller should reap; their
--       names; the names of all, where they are wanted.
local SILENT_MS, REAPING_MS = 1000, 1000
local now = clock()
excuse_absence(KEYS[2], now)
local is_known = redis.call('ZSCORE', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[2], now, ARGV[1])
local id, recovering = epoch_read(KEYS[1])
if recovering > 0 and recovering <= now then
  redis.call('SET', KEYS[1], id)
  recovering = 0
end
local is_other = id ~= ARGV[2] or not is_known
if ARGV[5] == '1' and not is_other then
  local run = run_id()
  is_other = run ~= '' and run ~= string.match(id, '[^.]*$')
end
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', '(' .. string.format('%.0f', now - ARGV[4]))
redis.call('ZREM', KEYS[4], ARGV[1])
local heard = redis.call('ZCOUNT', KEYS[2], string.format('%.0f', now - SILENT_MS), '+inf')
local vanished = redis.call('ZCARD', KEYS[2]) - heard + redis.call('ZCARD', KEYS[4])
-- The dead are shared out. Whoever took one has a second to reap it before another does.
local dead = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. string.format('%.0f', now - ARGV[3]))
local most, mine = math.ceil(#dead / math.max(heard, 1)), {}
for _, replica in ipairs(dead) do
  local reaped = tonumber(redis.call('HGET', KEYS[5], replica) or 0)
  if #mine < most and (reaped <= now or reaped > now + REAPING_MS) then
    redis.call('HSET', KEYS[5], replica, string.format('%.0f', now + REAPING_MS))
    redis.call('PEXPIRE', KEYS[5], 60000)
    mine[#mine + 1] = replica
  end
end
local reply = { is_other and 'EPOCH' or 'OK', now, recovering, heard, vanished, #mine }
for _, replica in ipairs(mine) do reply[#reply + 1] = replica end
if redis.call('ZCARD', KEYS[2]) ~= tonumber(ARGV[6]) then
  for _, replica in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do reply[#reply + 1] = replica end
end
return reply
