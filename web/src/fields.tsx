import type { ReactNode } from "react";
import type { PreviewState } from "./preview";
import type { Device } from "./problems";

export function TextField({ label, testId, value, onChange, error, hint, ...input }: {
	label: string;
	testId: string;
	value: string;
	onChange: (value: string) => void;
	error?: string | undefined;
	hint?: ReactNode;
	readOnly?: boolean;
	autoComplete?: string;
	autoFocus?: boolean;
	spellCheck?: boolean;
}) {
	const below = error ? `${testId}-error` : hint ? `${testId}-hint` : undefined;
	return (
		<div className="field">
			<label htmlFor={testId}>{label}</label>
			<input
				id={testId}
				data-testid={testId}
				type="text"
				value={value}
				onChange={(event) => onChange(event.target.value)}
				aria-invalid={error !== undefined}
				aria-describedby={below}
				{...input}
			/>
			{error && <p id={`${testId}-error`} className="field-error">{error}</p>}
			{!error && hint && <p id={`${testId}-hint`} className="field-hint">{hint}</p>}
		</div>
	);
}

type Devices = Pick<PreviewState, "cameras" | "microphones" | "cameraId" | "microphoneId">;

/** Which camera and which microphone. Says so where there is nothing to choose from. */
export function DeviceFields({ devices, onChoose }: {
	devices: Devices;
	onChoose: (device: Device, id: string) => void;
}) {
	return (
		<>
			<DeviceField
				device="camera"
				label="Camera"
				list={devices.cameras}
				chosen={devices.cameraId}
				onChoose={onChoose}
			/>
			<DeviceField
				device="microphone"
				label="Microphone"
				list={devices.microphones}
				chosen={devices.microphoneId}
				onChoose={onChoose}
			/>
		</>
	);
}

function DeviceField({ device, label, list, chosen, onChoose }: {
	device: Device;
	label: string;
	list: readonly MediaDeviceInfo[];
	chosen: string;
	onChoose: (device: Device, id: string) => void;
}) {
	const id = `${device}-select`;
	const known = list.some((d) => d.deviceId === chosen);
	return (
		<div className="field">
			<label htmlFor={id}>{label}</label>
			<select
				id={id}
				data-testid={id}
				value={known ? chosen : list[0]?.deviceId ?? ""}
				disabled={list.length === 0}
				onChange={(event) => onChoose(device, event.target.value)}
			>
				{list.length === 0 && <option value="">None to choose from</option>}
				{list.map((d) => <option key={d.deviceId} value={d.deviceId}>{d.label}</option>)}
			</select>
		</div>
	);
}
