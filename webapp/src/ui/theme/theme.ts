import {
  ActionIcon,
  Anchor,
  Button,
  Checkbox,
  type CSSVariablesResolver,
  createTheme,
  Drawer,
  Input,
  type MantineColorsTuple,
  Menu,
  Modal,
  NavLink,
  Paper,
  SegmentedControl,
  Switch,
  Tooltip,
} from '@mantine/core'
import { dark, light, variables } from './tokens'

// Mantine wants ten shades of everything; only those it reaches by primaryShade and its own variables matter here.
const accent: MantineColorsTuple = [
  '#e4f0f2',
  '#c9e1e6',
  '#a2cbd4',
  '#76b2bf',
  '#4a98a9',
  '#2a8397',
  light.accent,
  light.accentHover,
  dark.accent,
  dark.accentHover,
]
const red: MantineColorsTuple = [
  '#fce9e7',
  '#f6cfcb',
  '#efa8a2',
  '#e57e76',
  '#da564c',
  '#c9372d',
  light.danger,
  light.dangerHover,
  dark.danger,
  dark.dangerHover,
]
const gray: MantineColorsTuple = [
  '#f5f6f6',
  '#eceeef',
  '#e2e5e6',
  '#cbd0d3',
  '#b1b8bc',
  '#868f95',
  '#5f696f',
  '#424b50',
  '#2a3135',
  '#15191b',
]
const darkGreys: MantineColorsTuple = [
  dark.text,
  dark.text2,
  dark.text3,
  dark.control,
  dark.lineStrong,
  dark.line,
  dark.raised,
  dark.page,
  dark.sunken,
  '#050607',
]

/** Inter for Latin; Noto Sans SC is loaded with the Chinese catalogue. */
const sans = "'Inter Variable', 'Noto Sans SC Variable', system-ui, 'PingFang SC', 'Microsoft YaHei', sans-serif"

/** 28 px controls are `xs`, 32 px `sm` (the default), 40 px `md` for pages that hold a single form. */
const controlHeights = { xs: '28px', sm: '32px', md: '40px', lg: '48px' }

export const theme = createTheme({
  colors: { accent, red, gray, dark: darkGreys },
  primaryColor: 'accent',
  primaryShade: { light: 6, dark: 8 },
  black: light.text,
  fontFamily: sans,
  fontFamilyMonospace: "ui-monospace, 'SF Mono', 'Cascadia Mono', 'DejaVu Sans Mono', monospace",
  fontSizes: { xs: '12px', sm: '13px', md: '14px', lg: '16px', xl: '20px' },
  lineHeights: { xs: '16px', sm: '18px', md: '20px', lg: '24px', xl: '28px' },
  spacing: { xs: '4px', sm: '8px', md: '12px', lg: '16px', xl: '24px' },
  radius: { xs: '3px', sm: '4px', md: '6px', lg: '6px', xl: '6px' },
  defaultRadius: 'md',
  headings: {
    fontFamily: sans,
    fontWeight: '600',
    sizes: {
      h1: { fontSize: '20px', lineHeight: '28px' },
      h2: { fontSize: '16px', lineHeight: '24px' },
      h3: { fontSize: '14px', lineHeight: '20px' },
      h4: { fontSize: '13px', lineHeight: '18px' },
    },
  },
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    Button: Button.extend({
      defaultProps: { size: 'sm' },
      styles: { label: { fontWeight: 500 } },
      vars: (_, { size }) => ({
        root: {
          '--button-height': controlHeights[size as keyof typeof controlHeights],
          '--button-padding-x': size === 'xs' ? '10px' : '12px',
          '--button-fz': '13px',
        },
      }),
    }),
    ActionIcon: ActionIcon.extend({ defaultProps: { variant: 'subtle', color: 'gray', size: 28 } }),
    Input: Input.extend({
      defaultProps: { size: 'sm' },
      vars: (_, { size }) => ({
        wrapper: {
          '--input-height': controlHeights[size as keyof typeof controlHeights],
          '--input-size': controlHeights[size as keyof typeof controlHeights],
          '--input-fz': '13px',
        },
      }),
    }),
    InputWrapper: Input.Wrapper.extend({ defaultProps: { size: 'sm' } }),
    Anchor: Anchor.extend({ defaultProps: { underline: 'hover' } }),
    Checkbox: Checkbox.extend({ defaultProps: { size: 'xs' }, styles: { label: { fontSize: '13px' } } }),
    Switch: Switch.extend({ defaultProps: { withThumbIndicator: false } }),
    SegmentedControl: SegmentedControl.extend({ defaultProps: { withItemsBorders: false } }),
    Paper: Paper.extend({ defaultProps: { withBorder: true, shadow: 'none' } }),
    // The placeholder Mantine would focus first is no menu item, and a menu may hold nothing else.
    Menu: Menu.extend({ defaultProps: { shadow: 'md', transitionProps: { duration: 100 }, withInitialFocusPlaceholder: false } }),
    Tooltip: Tooltip.extend({
      defaultProps: { openDelay: 300, transitionProps: { duration: 100 }, events: { hover: true, focus: true, touch: false } },
    }),
    Modal: Modal.extend({
      defaultProps: {
        centered: true,
        transitionProps: { duration: 120, transition: 'fade' },
        overlayProps: { backgroundOpacity: 0.4 },
      },
    }),
    Drawer: Drawer.extend({ defaultProps: { position: 'right', transitionProps: { duration: 150 } } }),
    NavLink: NavLink.extend({ defaultProps: { noWrap: true } }),
  },
})

/** Mantine's own colour variables, pointed at ours. */
export const cssVariablesResolver: CSSVariablesResolver = () => {
  const own = {
    '--mantine-color-body': 'var(--tl-page)',
    '--mantine-color-text': 'var(--tl-text)',
    '--mantine-color-bright': 'var(--tl-text)',
    '--mantine-color-dimmed': 'var(--tl-text-3)',
    '--mantine-color-placeholder': 'var(--tl-text-3)',
    '--mantine-color-anchor': 'var(--tl-accent-text)',
    '--mantine-color-error': 'var(--tl-breach-text)',
    '--mantine-color-default': 'var(--tl-page)',
    '--mantine-color-default-hover': 'var(--tl-hover)',
    '--mantine-color-default-color': 'var(--tl-text)',
    '--mantine-color-default-border': 'var(--tl-line-strong)',
    '--mantine-color-disabled': 'var(--tl-sunken)',
    '--mantine-color-disabled-color': 'var(--tl-text-3)',
    '--mantine-color-disabled-border': 'var(--tl-line)',
    '--mantine-color-gray-light': 'var(--tl-hover)',
    '--mantine-color-gray-light-hover': 'var(--tl-line)',
    '--mantine-color-gray-light-color': 'var(--tl-text-2)',
    '--mantine-color-gray-text': 'var(--tl-text-2)',
    '--mantine-color-accent-text': 'var(--tl-accent-text)',
    '--mantine-color-accent-light': 'var(--tl-accent-ground)',
    '--mantine-color-accent-light-color': 'var(--tl-accent-text)',
    '--mantine-color-accent-outline': 'var(--tl-accent-text)',
    '--mantine-color-red-text': 'var(--tl-breach-text)',
    '--mantine-color-red-light': 'var(--tl-breach-ground)',
    '--mantine-color-red-light-color': 'var(--tl-breach-text)',
    '--mantine-color-red-outline': 'var(--tl-breach-text)',
    '--mantine-primary-color-filled': 'var(--tl-accent)',
    '--mantine-shadow-xs': 'none',
    '--mantine-shadow-sm': 'none',
    '--mantine-shadow-md': 'var(--tl-shadow)',
    '--mantine-shadow-lg': 'var(--tl-shadow)',
    '--mantine-shadow-xl': 'var(--tl-shadow)',
  }
  return { variables: {}, light: { ...variables(light), ...own }, dark: { ...variables(dark), ...own } }
}
