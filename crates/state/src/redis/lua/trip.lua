-- A deployment rests for `lasts` ms. Deadlines only extend; a failed probe rests at least as long again, at
-- most four times as long as the first rest. True when it rests, or rests longer.
local function trip(c, lasts, cause, probe, now)
  local failed, longer = c.failed_probes, lasts
  if c.rests == 0 then failed = 0 end
  if c.rests > 0 and probe then
    local first = c.lasted / 2 ^ min(failed, MOST_DOUBLINGS)
    failed = failed + 1
    longer = max(lasts, first * 2 ^ min(failed, MOST_DOUBLINGS))
  end
  local till = now + floor(longer)
  if c.rests >= till then return false end
  c.rests, c.lasted, c.cause, c.failed_probes, c.probe = till, longer, cause, failed, 0
  changed(c, now)
  return true
end
