import { spawnSync } from 'node:child_process'

/** For tests of what Prometheus' own programs say; a reason to leave them out where these are not here. */
export function without (program: 'promtool' | 'prometheus'): { readonly skip: string } | Record<never, never> {
  return spawnSync(program, ['--version']).error === undefined ? {} : { skip: `${program} (package prometheus) is not here` }
}

export interface Said {
  readonly code: number | null
  readonly text: string
}

export function promtool (args: readonly string[], input = ''): Said {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' })
  return { code: status, text: `${stdout}${stderr}` }
}
