-- When each replica was last heard of: a sorted set of replicas by ms.
local AWAY_MS = 1500

-- Whoever is in the set was heard of just now.
local function all_heard(key, now)
  for _, replica in ipairs(redis.call('ZRANGE', key, 0, -1)) do redis.call('ZADD', key, now, replica) end
end

-- Where nobody was heard of for a while the server was away, not they.
local function excuse_absence(key, now)
  local latest = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')
  if latest[2] and now - latest[2] > AWAY_MS then all_heard(key, now) end
end
