"""The program that converts measures into the units of others, by pint. It runs inside the sandbox
and alone: it imports nothing of this project, and `symbolic.program_with` adds its input.

Its unit texts have passed `units.unit_text`: pint's parser evaluates arithmetic, which these lack.
"""

from pint import DimensionalityError, get_application_registry

UNITS = get_application_registry()
OTHER = {
    "[length]": "inch", "[mass]": "pound", "[time]": "minute", "[temperature]": "degR",
    "[current]": "milliampere", "[substance]": "millimole", "[luminosity]": "millicandela",
}  # fmt: skip


def converted(value, step, unit, wanted):
    """Returns a measure's value and last digit in another unit; why not where it has none. Where
    none is wanted, value and name of some other unit of its dimension."""
    try:
        measure, other = (
            UNITS.Quantity(number, UNITS.parse_units(unit)) for number in (value, step)
        )
        if wanted is None:
            powers = measure.dimensionality.items()
            names = (f"{OTHER[dimension]}**{power}" for dimension, power in powers)
            measure = measure.to("*".join(names) or "percent")
            return [float(measure.magnitude), format(measure.units, "C")]
        wanted = UNITS.parse_units(wanted)
        low, high = measure.to(wanted), UNITS.Quantity(value + step, measure.units).to(wanted)
        return [float(low.magnitude), abs(float(high.magnitude) - float(low.magnitude))]
    except DimensionalityError as error:
        return f"{error.dim1} is not {error.dim2}".replace("dimensionless", "a number")
    except Exception:  # names that are no units, and what pint makes of powers that overflow
        return "there is no such unit"


def solution(measures):
    return [converted(*each) for each in measures]
