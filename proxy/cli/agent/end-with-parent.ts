// node --import: the program ends in an orderly way when the one who started it is gone, however that went.
process.on('disconnect', () => { process.kill(process.pid, 'SIGTERM') })
process.channel?.unref()

export {}
