import { i18n } from '@lingui/core'
import { beforeEach } from 'vitest'

// Tests read the source language; catalogues are checked apart.
beforeEach(() => i18n.loadAndActivate({ locale: 'en', messages: {} }))
