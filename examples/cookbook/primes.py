import mutirao


def is_prime(number):
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


if __name__ == "__main__":
    numbers = range(20)
    answers = mutirao.map(is_prime, numbers, chunksize=10)
    print([number for number, answer in zip(numbers, answers) if answer])
