-- Takes a replica's requests in flight off the books. What it used ages out by itself.
--
-- KEYS  for each window its string and its contributions
-- ARGV  1 the replica
-- Reply how many requests in flight it had.
local now, freed = clock(), 0
for i = 1, #KEYS, 2 do
  local packed = redis.call('HGET', KEYS[i + 1], ARGV[1])
  if packed then
    local _, _, _, in_flight = unpack(CONTRIBUTION, packed)
    local state = redis.call('GET', KEYS[i])
    if in_flight > 0 and state then
      local w = window_read(state, now)
      w.in_flight = w.in_flight - in_flight
      if window_write(KEYS[i], w, now) then redis.call('PEXPIRE', KEYS[i + 1], KEPT) end
      freed = freed + in_flight
    end
    redis.call('HDEL', KEYS[i + 1], ARGV[1])
  end
end
return freed
