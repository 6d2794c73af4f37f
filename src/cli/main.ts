#!/usr/bin/env node
import yargs from 'yargs'
import { hideBin } from 'yargs/helpers'
import { demoCommand } from './commands/demo.ts'
import { runCommand } from './commands/run.ts'

await yargs(hideBin(process.argv))
  .command(runCommand)
  .command(demoCommand)
  .demandCommand()
  .strict()
  .parseAsync()
