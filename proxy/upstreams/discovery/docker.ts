import { parseContainers, type ContainerChoice } from './docker-containers.ts'
import { askApi, followApi, refusedWith, tlsOf, type Api, type TlsFiles } from './http-api.ts'
import { retryIn } from './schedule.ts'
import type { Source } from './source.ts'

export interface DockerSettings extends TlsFiles, ContainerChoice {
  readonly host: string
  readonly port: number
  readonly socketPath?: string
  readonly secure: boolean
  readonly timeoutMs: number
}

/** Everything after which another list may be right. */
const events = ['start', 'die', 'stop', 'kill', 'pause', 'unpause', 'destroy', 'rename', 'update', 'connect', 'disconnect', 'health_status']

/** Containers that say by labels that they want requests. Nothing is asked for but the list, and to be told of changes. */
export function dockerSource (settings: DockerSettings): Source {
  return {
    patienceMs: settings.timeoutMs,
    async ask (signal) {
      const filters = JSON.stringify({ label: ['sentinel.enable=true'], status: ['running'] })
      const { status, json } = await askApi(apiOf(settings), `/containers/json?filters=${encodeURIComponent(filters)}`, signal)
      if (status !== 200) throw refusedWith(status, 'Docker')
      return parseContainers(json, settings)
    },
    watch: (changed) => {
      const end = new AbortController()
      void follow(settings, end.signal, changed)
      return () => end.abort()
    },
  }
}

/** Says that something changed for each event, and whenever some may have been missed. */
async function follow (settings: DockerSettings, signal: AbortSignal, changed: () => void): Promise<void> {
  const filters = JSON.stringify({ type: ['container', 'network'], event: events })
  for (let failures = 0; !signal.aborted;) {
    const beganMs = performance.now()
    // What is wrong is what the question for the list runs into as well.
    await followApi(apiOf(settings), `/events?filters=${encodeURIComponent(filters)}`, signal, () => changed()).catch(() => {})
    failures = performance.now() - beganMs > 10_000 ? 1 : failures + 1
    await pause(retryIn(failures, 1_000, Math.random()), signal)
    changed()
  }
}

function pause (ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms).unref()
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    }, { once: true })
  })
}

function apiOf ({ host, port, socketPath, secure, ...files }: DockerSettings): Api {
  return { host, port, ...socketPath === undefined ? {} : { socketPath }, ...secure ? { tls: tlsOf(files) } : {} }
}
