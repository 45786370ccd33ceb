// Dates as Python writes them, for chat templates.

const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** Python's `strftime` in English, whatever the browser speaks; a directive that is not known stays as it is. */
export function strftime(date: Date, format: string): string {
  const two = (count: number) => String(count).padStart(2, "0");
  const [month, day] = [MONTHS[date.getMonth()]!, DAYS[date.getDay()]!];
  const parts: Record<string, string> = {
    Y: String(date.getFullYear()),
    y: two(date.getFullYear() % 100),
    m: two(date.getMonth() + 1),
    d: two(date.getDate()),
    H: two(date.getHours()),
    I: two(date.getHours() % 12 || 12),
    M: two(date.getMinutes()),
    S: two(date.getSeconds()),
    p: date.getHours() < 12 ? "AM" : "PM",
    B: month,
    b: month.slice(0, 3),
    A: day,
    a: day.slice(0, 3),
    "%": "%",
  };
  return format.replace(/%(-?)([A-Za-z%])/g, (found, bare: string, name: string) => {
    const part = parts[name];
    return part === undefined ? found : bare ? part.replace(/^0(?=.)/, "") : part;
  });
}
