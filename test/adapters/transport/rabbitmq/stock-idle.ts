import { startStockApp } from './stock-app.ts'

// An application on the stock transport that does nothing, as a program: `stock-idle.ts URL QUEUE`.
const [, , url = '', queue = ''] = process.argv
await startStockApp({ url, queue, deadLetterQueue: `${queue}-dead-letter` })
process.stdout.write('ready\n')
