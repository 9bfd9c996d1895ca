/** A listening socket that a service manager opened for us (sd_listen_fds(3)). */
export interface GivenSocket {
  readonly fd: number
  /** FileDescriptorName= of the socket unit; "" when it has none. */
  readonly name: string
}

const firstFd = 3

/** The sockets that were given to this very process. The variables are taken away: no program that is started from here may think that they are for it. */
export function takeGivenSockets (env: Record<string, string | undefined>): GivenSocket[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count, LISTEN_FDNAMES: names } = env
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name]
  if (pid === undefined || Number(pid) !== process.pid || count === undefined || !/^\d{1,3}$/.test(count)) return []
  const named = names?.split(':') ?? []
  return Array.from({ length: Number(count) }, (_, index) => {
    const name = named[index] ?? ''
    // What systemd calls a socket whose unit gives no name.
    return { fd: firstFd + index, name: name === 'unknown' || name === 'stored' ? '' : name }
  })
}
