/** What a command may touch of the world. */
export interface Shell {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  /** Whether `out` is a terminal that wants colours. */
  readonly colour: boolean
}

export interface CommandOption {
  readonly type: 'string' | 'boolean'
  readonly short?: string
  /** Name of the value in the help, for string options. */
  readonly value?: string
  readonly doc: string
  /** Of a string option: what it means when no value follows by "=". A word behind it is none then. */
  readonly implied?: string
  /** May be given several times: its value is a list then. */
  readonly multiple?: true
}

export type OptionValues = Readonly<Record<string, string | boolean | ReadonlyArray<string | boolean> | undefined>>

/** Values of an option that may be given several times. */
export function valuesOf (options: OptionValues, name: string): string[] {
  const given = options[name]
  return (Array.isArray(given) ? given : [given]).filter((value) => typeof value === 'string')
}

export interface Command {
  /** One word, or two for a command of a group ("evidence verify"). */
  readonly name: string
  readonly doc: string
  /** Positional arguments as the help shows them, for instance "FILE"; none when absent. */
  readonly arguments?: string
  readonly options: Readonly<Record<string, CommandOption>>
  /** Resolves with the exit code: 0 ok, 1 configuration error, 2 run-time error, 3 something would change. */
  readonly run: (shell: Shell, options: OptionValues, args: readonly string[]) => Promise<number>
}
