/**
 * The import table of ARCHITECTURE.md. A part is a folder (or a file); a file belongs to the longest part that holds it, may import its own
 * part, and of the others only those in its row. "*" stands for one folder name.
 */

const config = ['config', 'config/kdl', 'config/api-schema', 'config/schema', 'config/sentinel', 'config/format']
const proto = ['proto', 'proto/codec', 'proto/numbered.ts']
const organs = ['listeners', 'certificates', 'routing', 'filters', 'cache', 'services', 'upstreams', 'decisions', 'state', 'evidence', 'observe', 'admin', 'control', 'service']
  .map((name) => `proxy/${name}`)
const lifecycle = [...organs, 'proxy/http1', 'proxy/http2', 'proxy/websocket', 'proxy/pipeline', ...config, ...proto]

export const importTable: Readonly<Record<string, readonly string[]>> = {
  'config/kdl': [],
  'config/schema': ['config/kdl'],
  'config/api-schema': ['config/kdl', 'config/schema'],
  'config/sentinel': ['config/kdl', 'config/schema', 'config/api-schema'],
  'config/language-server': ['config/kdl', 'config/schema', 'config/sentinel'],
  'config/editor': [],
  'config/format': ['config/kdl', 'config/schema', 'config/sentinel'],
  'config': ['config/kdl', 'config/schema', 'config/sentinel'],
  'proto/codec': [],
  'proto/numbered.ts': [],
  'proto/generate': ['proto/codec'],
  'proto': ['proto/codec', 'proto/generate'],
  'proxy/pipeline': [...config, ...proto],
  // The grammar of messages, for both sides of the proxy.
  'proxy/http1': [],
  'proxy/http2': ['proxy/http1', 'proto/numbered.ts'],
  'proxy/websocket': ['proxy/pipeline'],
  // Organs know the pipeline and not one another: lifecycle puts them together.
  ...Object.fromEntries(organs.map((organ) => [organ, ['proxy/pipeline', 'proxy/http1', 'proxy/http2', 'proxy/websocket', ...config, ...proto]])),
  'proxy/lifecycle': lifecycle,
  'proxy/cli': ['config/language-server', 'proxy/lifecycle', ...lifecycle],
  'proxy': ['proxy/cli', 'proxy/lifecycle', ...lifecycle],
  'sdk': [...proto, 'config/schema'],
  // Through the package's own name, as an outsider would.
  'agents/*': ['sentinel/sdk', 'sentinel/sdk/testing']
}

/**
 * The one home of each package, and of those parts of Node that must not spread. Anything imported from elsewhere, and any package
 * without a row, is refused. Agents bring packages of their own.
 */
export const packageHomes: Readonly<Record<string, readonly string[]>> = {
  '@bgotink/kdl': ['config/kdl', 'test/conformance', 'test/bench'],
  'vscode': ['config/editor'],
  'vscode-languageserver': ['config/language-server'],
  'vscode-languageserver-textdocument': ['config/language-server'],
  'kdljs': ['test/conformance'],
  'protobufjs': ['proto/generate'],
  'ws': ['test'],
  'undici': ['test/bench'],
  '@grpc/grpc-js': ['test'],
  '@swc/wasm-typescript': ['sdk/run', 'agents/js'],
  'pino': ['proxy/observe', 'sdk/server'],
  're2': ['config/schema/regex.ts', 'agents/waf'],
  'yaml': ['config/api-schema'],
  'ajv': ['proxy/filters/schema', 'test/unit/filters'],
  'ajv-draft-04': ['test/unit/filters'],
  'ajv-formats': ['proxy/filters/schema'],
  'ioredis': ['proxy/state/redis-store.ts', 'sdk/store/redis.ts'],
  'piscina': ['sdk/workers/pool.ts'],
  '@microsoft/api-extractor': ['sdk/publish'],
  'ipaddr.js': ['config/schema/address.ts'],
  'fastest-levenshtein': ['config/kdl/nearest.ts'],
  'tinyglobby': ['config/kdl/include.ts'],
  'mime': ['proxy/services/static'],
  // fault-reply.ts: for STATUS_CODES, a table of words; the types stay at the edges.
  // Nothing but passwords is hashed in a thread.
  'bcryptjs': ['proxy/filters/password-thread.ts'],
  'apache-md5': ['proxy/filters/password-thread.ts'],
  'mmdb-lib': ['proxy/filters/geo'],
  'ip2location-nodejs': ['proxy/filters/geo'],
  'node:worker_threads': ['proxy/filters', 'sdk/workers', 'sdk/run'],
  'node:http': ['proxy/listeners', 'proxy/certificates/ocsp', 'proxy/upstreams', 'proxy/admin', 'proxy/control', 'proxy/observe/telemetry', 'proxy/pipeline/fault-reply.ts', 'proxy/cli/agent/echo.ts'],
  'node:https': ['proxy/listeners', 'proxy/upstreams', 'proxy/observe/telemetry'],
  'node:http2': ['sdk/server', 'proxy/observe/telemetry'],
  // Plain calls and interfaces between our modules; an emitter hides who hears what.
  'node:events': ['sdk/server', 'proxy/listeners', 'proxy/upstreams', 'proxy/decisions'],
  'node:child_process': ['proxy/lifecycle', 'proxy/service', 'proxy/cli/agent', 'agents/js', 'config/editor'],
  'lru-cache': ['proxy/cache'],
  'http-cache-semantics': ['proxy/cache/policy.ts'],
  'node:vm': ['agents/js/runner']
}

/** Files that load a module by an address they are given: that of the operator's or the author's own program. */
export const computedImports: ReadonlySet<string> = new Set(['sdk/workers/thread.ts', 'sdk/run/load-agent.ts', 'sdk/server/host-main.ts'])

/** Packages that no one installs: the program that loads the file brings them. */
export const broughtPackages: ReadonlySet<string> = new Set(['vscode'])
