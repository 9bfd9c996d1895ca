import { caddy } from './caddy.ts'
import type { Contender } from './contender.ts'
import { haproxy } from './haproxy.ts'
import { nginx } from './nginx.ts'
import { byteCopy, direct, undici } from './node.ts'
import { sentinel, sentinelWithAgent, sentinelWithLimit } from './sentinel.ts'

/** In the order of the tables. */
export const contenders: readonly Contender[] = [nginx, haproxy, caddy, undici, sentinel, sentinelWithAgent, sentinelWithLimit, byteCopy, direct]
