import { useLingui } from '@lingui/react/macro'
import { Drawer } from '@mantine/core'
import type { ReactNode } from 'react'
import { useConfirming } from './confirm'
import classes from './panel.module.css'

/** Detail beside the list it came from. Escape closes it and focus returns. `footer` stays in sight. */
export function SidePanel({
  opened,
  onClose,
  title,
  why,
  footer,
  wide,
  children,
}: {
  opened: boolean
  onClose: () => void
  title: string
  why?: ReactNode
  footer?: ReactNode
  wide?: boolean
  children: ReactNode
}) {
  const { t } = useLingui()
  const confirming = useConfirming()
  return (
    <Drawer.Root
      position="right"
      opened={opened}
      onClose={onClose}
      size={wide ? 640 : 440}
      closeOnEscape={!confirming}
      classNames={{ content: classes.content }}
    >
      <Drawer.Overlay backgroundOpacity={0.12} />
      {/* A className here would also reach the layer around it, which covers the window. */}
      <Drawer.Content>
        <Drawer.Header className={classes.header}>
          <div>
            <Drawer.Title className={classes.title}>{title}</Drawer.Title>
            {why && <p className={classes.why}>{why}</p>}
          </div>
          <Drawer.CloseButton aria-label={t`Close`} />
        </Drawer.Header>
        <Drawer.Body className={classes.body}>{children}</Drawer.Body>
        {footer && <div className={classes.footer}>{footer}</div>}
      </Drawer.Content>
    </Drawer.Root>
  )
}
