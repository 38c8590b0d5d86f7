-- Give a name free, if it still stands for the request that took it.
--
-- KEYS  1 the name
-- ARGV  1 operation   2 what stood for the request
if redis.call('GET', KEYS[1]) == ARGV[2] then redis.call('DEL', KEYS[1]) end
return {ARGV[1]}
