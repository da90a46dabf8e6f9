-- An operator's word about a deployment: it is drained, or whatever keeps it out is over.
--
-- KEYS  1 its condition
-- ARGV  1 for how long it is drained in ms (-1: until it is restored, 0: it is restored now)  2 channel
-- Reply now in ms, 1 when it was out before, its standing.
local now, lasts = clock(), tonumber(ARGV[1])
local c = condition_read(redis.call('GET', KEYS[1]))
local was_out = health(c, now) ~= 'ready'
if lasts == 0 then
  c.rests, c.lasted, c.probe, c.drained, c.cause, c.failed_probes = 0, 0, 0, 0, 0, 0
  outcomes_forget(c)
else
  c.drained = lasts < 0 and -1 or now + lasts
end
changed(c, now)
local told = condition_store(KEYS[1], c, now)
condition_publish(ARGV[2], KEYS[1], told)
return { now, was_out and 1 or 0, told }
