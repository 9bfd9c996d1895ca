export interface UnitOptions {
  readonly name: string
  readonly command: readonly string[]
  readonly socket: string
  /** Account of the proxy: only the one that made the socket may use it. */
  readonly user: string
  /** The program or the agent's files stand in somebody's home. */
  readonly inHome: boolean
}

/** A unit that runs an agent beside the proxy, with hardly any rights. */
export function agentUnit ({ name, command, socket, user, inHome }: UnitOptions): string {
  return `[Unit]
Description=${name}, an agent of Sentinel
# The proxy finds it when it starts.
Before=sentinel.service

[Service]
Type=exec
ExecStart=${[...command, '--socket', socket].map(unitWord).join(' ')}
# The same account as the proxy's: nobody else gets into the socket. systemd gives both units the same number.
DynamicUser=yes
User=${user}
RuntimeDirectory=${name}
RuntimeDirectoryMode=0700
UMask=0077
Restart=always
RestartSec=1
# Open requests end first: ten seconds at most.
TimeoutStopSec=15
KillMode=mixed

CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectSystem=strict
${inHome ? '# Its files are in a home: the account must be able to read them.\nProtectHome=read-only' : 'ProtectHome=yes'}
ProtectProc=invisible
ProcSubset=pid
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
# An agent that asks nobody over a network needs AF_UNIX alone.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
# No MemoryDenyWriteExecute: the compiler of V8 writes code and runs it.

[Install]
WantedBy=multi-user.target
`
}

/** A word of a command line in a unit: in quotes where it needs them, and with nothing in it that systemd would replace (systemd.service(5), "Command lines"). */
export function unitWord (word: string): string {
  const plain = word.replaceAll('%', '%%').replaceAll('$', () => '$$')
  return /^[\w@%+=:,./-]+$/.test(plain) && plain !== '' ? plain : `"${plain.replace(/["\\]/g, '\\$&')}"`
}
