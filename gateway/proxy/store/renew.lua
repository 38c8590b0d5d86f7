-- Renew the lease on a name for the request that took it. Where it is gone, it is taken again: the
-- request is still under way. What stands there for another is left alone.
--
-- KEYS  1 the name
-- ARGV  1 operation   2 what stands for the request under way   3 how long the lease is, ms
local found = redis.call('GET', KEYS[1])
if not found or found == ARGV[2] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', tonumber(ARGV[3]))
end
return {ARGV[1]}
