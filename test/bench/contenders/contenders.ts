import { caddy } from './caddy.ts'
import type { Contender } from './contender.ts'
import { haproxy, haproxyAsking } from './haproxy.ts'
import { nginx, nginxAsking } from './nginx.ts'
import { byteCopy, direct, undici } from './node.ts'
import { sentinel, sentinelUnasked, sentinelWithAgent, sentinelWithAgents, sentinelWithLimit } from './sentinel.ts'

/** In the order of the tables. */
export const contenders: readonly Contender[] = [
  nginx, nginxAsking, haproxy, haproxyAsking, caddy, undici, sentinel, sentinelUnasked, sentinelWithAgent, sentinelWithAgents, sentinelWithLimit, byteCopy, direct,
]
