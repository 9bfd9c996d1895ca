import { spawnSync } from 'node:child_process'

/** Debian's: another one on the PATH has packages of its own. */
export const python = '/usr/bin/python3'

/** Why an agent in Python cannot run here. */
export function missingForPython (): string | undefined {
  if (spawnSync(python, ['-c', 'import grpc.aio, google.protobuf'], { stdio: 'ignore' }).status !== 0) return 'python3-grpcio is not installed'
  if (spawnSync('protoc', ['--version'], { stdio: 'ignore' }).status !== 0) return 'protobuf-compiler is not installed'
  return undefined
}
