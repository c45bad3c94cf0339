import asyncio
import contextvars
var = contextvars.ContextVar("var", default="unset")
async def work(n):
    var.set(n)
    await asyncio.sleep(0.001 * (3 - n))
    return n, var.get()
async def main():
    print(await asyncio.gather(*(work(n) for n in range(3))), var.get())
    task = asyncio.create_task(work(1))
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled")
asyncio.run(main())
