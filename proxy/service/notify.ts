import { execFile } from 'node:child_process'

export interface NotifyOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Said once, when the service manager cannot be told. */
  readonly onTrouble: (why: string) => void
}

/** Tells a service manager that asked for it (sd_notify(3)) how this process does. Everything is a no-op where none asked. */
export interface Notifier {
  /** This process is the one that serves. Resolves when the service manager knows. */
  serves (status: string): Promise<void>
  /** A reload is over. Whose process it is that serves is not said: by then it may be another one. */
  ready (status: string): void
  reloading (): void
  /** A line for people, shown by `systemctl status`. */
  status (text: string): void
  /** A sign of life. Skipped while the last one is on its way. */
  alive (): void
  stopping (): void
  /** Resolves when everything said has been taken. */
  close (): Promise<void>
}

/** Nobody waits longer for the service manager. */
const longestMs = 5_000

/**
 * The service manager listens on a Unix datagram socket, of which Node.js knows nothing: `systemd-notify`, a part of every systemd, speaks for
 * us. It is another process than ours, so the unit must say NotifyAccess=all.
 */
export function openNotifier ({ env, onTrouble }: NotifyOptions): Notifier {
  const address = env['NOTIFY_SOCKET']
  if (address === undefined || address === '') return silent
  let said = Promise.resolve()
  let isTold = false
  let knocking = false
  const send = (...variables: string[]): Promise<void> => said = said.then(() => new Promise((resolve) => {
    const passed = { PATH: env['PATH'] ?? '/usr/bin:/bin', NOTIFY_SOCKET: address }
    execFile('systemd-notify', ['--', ...variables], { env: passed, timeout: longestMs }, (error, _, stderr) => {
      if (error !== null && !isTold) {
        isTold = true
        onTrouble('code' in error && error.code === 'ENOENT' ? 'systemd-notify is not installed' : stderr.trim() || error.message)
      }
      resolve()
    })
  }))
  return {
    serves: (status) => send('READY=1', `MAINPID=${process.pid}`, statusLine(status)),
    ready: (status) => void send('READY=1', statusLine(status)),
    // With the time, systemd knows which READY=1 ends this one (Type=notify-reload).
    reloading: () => void send('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    status: (text) => void send(statusLine(text)),
    alive () {
      if (knocking) return
      knocking = true
      void send('WATCHDOG=1').then(() => { knocking = false })
    },
    stopping: () => void send('STOPPING=1'),
    close: () => said,
  }
}

const silent: Notifier = {
  serves: () => Promise.resolve(), ready () {}, reloading () {}, status () {}, alive () {}, stopping () {}, close: () => Promise.resolve(),
}

function statusLine (text: string): string {
  return `STATUS=${text.replace(/[\u0000-\u001f\u007f]/g, ' ').slice(0, 500)}`
}

/**
 * Half of the time after which the service manager takes this process for hung; `undefined` where it does not watch. WATCHDOG_PID is of the process that was
 * started first: after an upgrade it is another one that is watched.
 */
export function watchdogMs (env: NotifyOptions['env']): number | undefined {
  const usec = Number(env['WATCHDOG_USEC'])
  return Number.isFinite(usec) && usec > 0 ? Math.max(1, Math.floor(usec / 2000)) : undefined
}
