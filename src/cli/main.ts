#!/usr/bin/env node
import { hideBin } from 'yargs/helpers'
import { runProgram } from './program.ts'

await runProgram(hideBin(process.argv))
