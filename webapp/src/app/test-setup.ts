import { i18n } from '@lingui/core'
import { beforeEach } from 'vitest'

// Tests read the source language; catalogues are checked apart.
beforeEach(() => i18n.loadAndActivate({ locale: 'en', messages: {} }))

// An element is printed with everything React hangs on it: thousands of lines.
const { warn } = console
console.warn = (...words) => warn(...words.map((w) => (w instanceof Element ? w.outerHTML.slice(0, 200) : w)))
