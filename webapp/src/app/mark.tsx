/** The mark: a trunk line and what hangs from it. */
export const Mark = ({ className }: { className?: string }) => (
  <svg viewBox="0 0 24 24" className={className} width="20" height="20" aria-hidden="true">
    <rect width="24" height="24" rx="5" fill="var(--tl-accent)" />
    <path
      d="M5 7.5h14M12 7.5V18M7.5 12.4v.01M16.5 12.4v.01"
      stroke="var(--tl-on-accent)"
      strokeWidth="2.2"
      strokeLinecap="round"
      fill="none"
    />
  </svg>
)
