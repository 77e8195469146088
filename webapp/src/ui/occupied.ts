/** Keys pressed here belong to what has the focus: a field, a menu, a dialog. */
export function occupied(target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return false
  return (
    target.closest('input, textarea, select, [contenteditable="true"], [role="dialog"], [role="menu"], [role="listbox"]') !== null
  )
}
