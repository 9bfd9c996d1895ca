import { runCommand } from '../../proxy/cli/commands.ts'

/**
 * Runs a command line of Sentinel to its end as `runSentinel` does, but in this process: everything that the program does with one, except to start.
 * For commands that read files and say what they find. That the program itself gives the same exit code and the same words, one case of each file looks at.
 */
export async function runHere (args: readonly string[], options: { cwd?: string, env?: Record<string, string> } = {}): Promise<{ code: number, stdout: string, stderr: string }> {
  let stdout = ''
  let stderr = ''
  const code = await runCommand(args, {
    env: { ...process.env, ...options.env },
    cwd: options.cwd ?? process.cwd(),
    out: (text) => { stdout += text },
    err: (text) => { stderr += text },
    colour: false,
  })
  return { code, stdout, stderr }
}
