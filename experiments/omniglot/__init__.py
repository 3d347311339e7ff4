"""Do the learners reach their published accuracy on Omniglot?"""
