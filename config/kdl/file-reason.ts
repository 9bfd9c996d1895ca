const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'its permissions forbid it to this user',
  EPERM: 'its permissions forbid it to this user',
  EISDIR: 'it is a folder',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
}

/** Why something could not be done with a file, in words for its operator. */
export function fileReason (error: unknown): string {
  if (!(error instanceof Error)) return 'unknown reason'
  // `code` is there on errors of the file system.
  const { code = '' } = error as NodeJS.ErrnoException
  return Object.hasOwn(reasons, code) ? reasons[code]! : code === '' ? error.message : code
}
