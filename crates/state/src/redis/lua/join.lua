-- A replica connects. Where the data may have lost something a new epoch begins, which is recovering: nothing is
-- granted in it until every replica has told what it knows, or the time for that is over.
--
-- KEYS  1 epoch  2 heartbeats  3 who has told
-- ARGV  1 replica  2 name for a new epoch  3 1 when the replica has seen a loss  4 1 when the replica has granted
--       while it was cut off  5 how long recovery may take in ms  6 channel
-- Reply the epoch, until when it is recovering (0: it is not), now in ms.
local STALE_MS = 1000
local now = clock()
local id, recovering = epoch_read(KEYS[1])
local run = run_id()
local is_lost, begins = not id or (run ~= '' and run ~= string.match(id, '[^.]*$')), false
if not is_lost and recovering <= now then
  is_lost = ARGV[3] == '1'
  if ARGV[4] == '1' then
    -- Others that were cut off as well have granted from their shares too.
    local beats = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
    for i = 1, #beats, 2 do
      if beats[i] ~= ARGV[1] and now - beats[i + 1] > STALE_MS then begins = true end
    end
  end
end
if is_lost or begins then
  id, recovering = ARGV[2] .. '.' .. run, now + tonumber(ARGV[5])
  redis.call('SET', KEYS[1], 'R' .. string.format('%.0f', recovering) .. ':' .. id)
  redis.call('DEL', KEYS[3])
  -- What lost data says of heartbeats is as old as the data: everybody has time to come back.
  if is_lost then all_heard(KEYS[2], now) else excuse_absence(KEYS[2], now) end
  redis.call('PUBLISH', ARGV[6], 'E')
end
redis.call('ZADD', KEYS[2], now, ARGV[1])
if recovering <= now then recovering = 0 end
return { id, recovering, now }
