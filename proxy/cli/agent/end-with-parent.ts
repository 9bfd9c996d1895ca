// node --import: a program that nobody would end any more ends itself when the one who started it is gone, however that went.
const patienceMs = 5_000

process.on('disconnect', () => {
  process.kill(process.pid, 'SIGQUIT')
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), patienceMs)
})
// Nobody hears of an end that comes while this is loaded.
if (!process.connected) process.exit(0)
process.channel?.unref()

export {}
