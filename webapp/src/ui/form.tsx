import { zodResolver } from '@hookform/resolvers/zod'
import { Trans } from '@lingui/react/macro'
import {
  Button,
  type ButtonProps,
  Checkbox,
  type CheckboxProps,
  MultiSelect,
  type MultiSelectProps,
  NumberInput,
  type NumberInputProps,
  PasswordInput,
  type PasswordInputProps,
  Select,
  type SelectProps,
  Switch,
  type SwitchProps,
  TagsInput,
  type TagsInputProps,
  Textarea,
  type TextareaProps,
  TextInput,
  type TextInputProps,
} from '@mantine/core'
import { createContext, type ReactNode, useContext, useId, useState } from 'react'
import {
  type Control,
  Controller,
  type DefaultValues,
  type FieldPath,
  type FieldValues,
  type UseFormReturn,
  useFieldArray,
  useForm,
} from 'react-hook-form'
import type { z } from 'zod'
import { type FaultView, faultOf } from '@/api/fault'
import classes from './form.module.css'
import { Notice } from './status'

/**
 * A form checked by a zod schema: when it is sent, from then on as one types. Not on leaving a field: a message that appears
 * then moves the very button that is being pressed. Messages come from the schema (see rules.ts).
 */
export function useZodForm<S extends z.ZodType<FieldValues, FieldValues>>(schema: S, defaults: DefaultValues<z.input<S>>) {
  return useForm<z.input<S>, unknown, z.output<S>>({
    // biome-ignore lint/suspicious/noExplicitAny: the resolver's types name one zod minor
    resolver: zodResolver(schema as any) as any,
    defaultValues: defaults,
  })
}

interface FormContext {
  // biome-ignore lint/suspicious/noExplicitAny: a context cannot carry the form's type
  control: Control<any>
  busy: boolean
}
const Context = createContext<FormContext | undefined>(undefined)
const useFormContext = (): FormContext => {
  const context = useContext(Context)
  if (!context) throw new Error('a field outside of Form')
  return context
}

export interface FormProps<In extends FieldValues, Out> {
  form: UseFormReturn<In, unknown, Out>
  /** What it throws is shown above the buttons, or at the field the fault names. */
  onSubmit: (values: Out) => Promise<unknown> | unknown
  /** Connects a button outside, e.g. in a panel's footer. */
  id?: string
  /** Names of the request's fields where they differ from the form's. */
  fields?: Record<string, FieldPath<In>>
  children: ReactNode
}

/** Fields below each other, errors where they belong, one submission at a time. */
export function Form<In extends FieldValues, Out>({ form, onSubmit, id, fields, children }: FormProps<In, Out>) {
  const own = useId()
  const [fault, setFault] = useState<FaultView>()
  const submit = form.handleSubmit(async (values) => {
    setFault(undefined)
    try {
      await onSubmit(values)
    } catch (err) {
      const view = faultOf(err)
      const name = (fields?.[view.field] ?? fieldName(view.field)) as FieldPath<In>
      if (view.field && name in form.getValues()) form.setError(name, { message: view.message }, { shouldFocus: true })
      else setFault(view)
    }
  })
  return (
    <Context.Provider value={{ control: form.control as unknown as FormContext['control'], busy: form.formState.isSubmitting }}>
      <form id={id ?? own} className={classes.form} onSubmit={(event) => void submit(event)} noValidate>
        {children}
        {fault && <FaultNotice fault={fault} />}
      </form>
    </Context.Provider>
  )
}

/** The form's name of a request's field: "trunk.allowed[2]" and "max_calls" are allowed and maxCalls. */
export const fieldName = (field: string) =>
  (field.split('.').pop() ?? '').replace(/\[\d+\]$/, '').replace(/_([a-z])/g, (_, c: string) => c.toUpperCase())

/** What failed, in the page's flow. */
export function FaultNotice({ fault, error }: { fault?: FaultView; error?: unknown }) {
  const view = fault ?? faultOf(error)
  return (
    <Notice tone="breach" title={view.message}>
      {view.action} {view.reference && <Trans>Reference {view.reference}</Trans>}
    </Notice>
  )
}

/** The form's button. Without children: Save. */
export function Submit({ children, ...props }: ButtonProps & { children?: ReactNode }) {
  const { busy } = useFormContext()
  return (
    <Button type="submit" loading={busy} {...props}>
      {children ?? <Trans>Save</Trans>}
    </Button>
  )
}

/** Buttons at the end of a form: Submit first. */
export const FormActions = ({ children }: { children: ReactNode }) => <div className={classes.actions}>{children}</div>

/** Short fields beside each other. */
export const FieldRow = ({ children }: { children: ReactNode }) => <div className={classes.row}>{children}</div>

type Named<P> = Omit<P, 'name' | 'value' | 'defaultValue' | 'error' | 'onChange' | 'onBlur' | 'form' | 'checked'> & {
  name: string
  label?: ReactNode
}

export function TextField({ name, ...props }: Named<TextInputProps>) {
  const { control } = useFormContext()
  return (
    <Controller
      control={control}
      name={name}
      render={({ field, fieldState }) => <TextInput {...props} {...field} error={fieldState.error?.message} />}
    />
  )
}

export function PasswordField({ name, ...props }: Named<PasswordInputProps>) {
  const { control } = useFormContext()
  return (
    <Controller
      control={control}
      name={name}
      render={({ field, fieldState }) => <PasswordInput {...props} {...field} error={fieldState.error?.message} />}
    />
  )
}

export function TextAreaField({ name, ...props }: Named<TextareaProps>) {
  const { control } = useFormContext()
  return (
    <Controller
      control={control}
      name={name}
      render={({ field, fieldState }) => <Textarea autosize minRows={2} {...props} {...field} error={fieldState.error?.message} />}
    />
  )
}

export function NumberField({ name, ...props }: Named<NumberInputProps>) {
  const { control } = useFormContext()
  return (
    <Controller
      control={control}
      name={name}
      render={({ field, fieldState }) => (
        <NumberInput allowDecimal={false} clampBehavior="none" {...props} {...field} error={fieldState.error?.message} />
      )}
    />
  )
}

export function SelectField({ name, ...props }: Named<SelectProps>) {
  const { control } = useFormContext()
  return (
    <Controller
      control={control}
      name={name}
      render={({ field, fieldState }) => (
        <Select allowDeselect={false} checkIconPosition="right" {...props} {...field} error={fieldState.error?.message} />
      )}
    />
  )
}

export function MultiSelectField({ name, ...props }: Named<MultiSelectProps>) {
  const { control } = useFormContext()
  return (
    <Controller
      control={control}
      name={name}
      render={({ field, fieldState }) => <MultiSelect {...props} {...field} error={fieldState.error?.message} />}
    />
  )
}

const splitEntries = (entries: string[]) => [...new Set(entries.flatMap((entry) => entry.split(/[\s,;]+/)).filter(Boolean))]

/** Several short texts, each ended by Enter, comma or space. An error in one of them is shown. */
export function TagsField({ name, ...props }: Named<TagsInputProps>) {
  const { control } = useFormContext()
  return (
    <Controller
      control={control}
      name={name}
      render={({ field, fieldState: { error } }) => (
        <TagsInput
          splitChars={[',', ' ', ';']}
          acceptValueOnBlur
          {...props}
          {...field}
          // Also what was pasted as one piece.
          onChange={(entries) => field.onChange(splitEntries(entries))}
          error={error?.message ?? (Array.isArray(error) ? error.find(Boolean)?.message : undefined)}
        />
      )}
    />
  )
}

export function CheckboxField({ name, ...props }: Named<CheckboxProps>) {
  const { control } = useFormContext()
  return (
    <Controller
      control={control}
      name={name}
      render={({ field: { value, ...field }, fieldState }) => (
        <Checkbox {...props} {...field} checked={value} error={fieldState.error?.message} />
      )}
    />
  )
}

export function SwitchField({ name, ...props }: Named<SwitchProps>) {
  const { control } = useFormContext()
  return (
    <Controller
      control={control}
      name={name}
      render={({ field: { value, ...field }, fieldState }) => (
        <Switch {...props} {...field} checked={value} error={fieldState.error?.message} />
      )}
    />
  )
}

/** A list inside the form: its entries, and how to add and remove them. */
export function useFieldList<T extends object>(name: string) {
  const { fields, append, remove } = useFieldArray({ control: useFormContext().control, name })
  return { entries: fields as unknown as (T & { id: string })[], append: (entry: T) => append(entry), remove }
}

/** One line of fields in given columns, for lists of alike entries. The labels stand above the first line only. */
export const FieldGrid = ({ columns, children }: { columns: string; children: ReactNode }) => (
  <div className={classes.grid} style={{ gridTemplateColumns: columns }}>
    {children}
  </div>
)
