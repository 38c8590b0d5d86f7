-- Take a name for a request that is to happen once, or return what stands there already.
--
-- KEYS  1 the name
-- ARGV  1 operation   2 what stands for the request under way   3 how long the lease is, ms
local found = redis.call('GET', KEYS[1])
if found then return {ARGV[1], found} end
redis.call('SET', KEYS[1], ARGV[2], 'PX', tonumber(ARGV[3]))
return {ARGV[1]}
